//! Detection methods and the runner that gives them cells, windows and explanations.
