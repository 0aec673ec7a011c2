import { printable } from "./printable";

/** Says what is being done, on standard error so that results can be piped. */
export function progress(line: string): void {
  console.error(printable(`• ${line}`));
}

/** Prints a result on standard output. */
export function say(text: string): void {
  console.log(printable(text));
}
