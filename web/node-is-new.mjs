// Ends with 0 when this Node can build the interface (what package.json asks for), with 1 when it is too old.
const [major, minor] = process.versions.node.split(".").map(Number);
process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1);
