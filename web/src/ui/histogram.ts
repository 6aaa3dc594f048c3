// Numbers in classes of equal width, or one class for each value when there are few.

export interface Class {
  label: string;
  /** Sum of what was weighed. */
  value: number;
}

const CLASSES = 20;

/** Classes of `values` with the sum of their weights; a weight for each value. */
export function histogram(values: number[], weights: number[], show: (value: number) => string): Class[] {
  const distinct = [...new Set(values)].sort((a, b) => a - b);
  if (distinct.length <= CLASSES) {
    return distinct.map((value) => ({
      label: show(value),
      value: values.reduce((sum, one, at) => (one === value ? sum + (weights[at] ?? 0) : sum), 0),
    }));
  }
  const [low, high] = [distinct[0] ?? 0, distinct.at(-1) ?? 0];
  const width = (high - low) / CLASSES;
  const sums = new Array<number>(CLASSES).fill(0);
  values.forEach((value, at) => {
    const place = Math.min(CLASSES - 1, Math.floor((value - low) / width));
    sums[place] = (sums[place] ?? 0) + (weights[at] ?? 0);
  });
  return sums.map((value, at) => ({
    label: `${show(low + at * width)} to ${show(low + (at + 1) * width)}`,
    value,
  }));
}
