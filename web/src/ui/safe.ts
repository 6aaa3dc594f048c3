// Text that attackers chose (names, files, user agents) is shown as text nodes only, and what the eye cannot see in it
// is made visible: control characters, zero-width ones, and those that turn the direction of writing.

const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** The text with unseen characters as `\u{…}`. */
export function shown(text: string): string {
  return text.replace(UNSEEN, (unseen) => `\\u{${(unseen.codePointAt(0) ?? 0).toString(16)}}`);
}
