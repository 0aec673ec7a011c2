/**
 * Returns a text that a terminal shows and does not obey: control characters other than tabs and line feeds, and those
 * that turn the direction of writing, as `\uXXXX`. JSON stays the same JSON.
 */
export function printable(text: string): string {
  return text.replaceAll(
    /(?![\t\n])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
