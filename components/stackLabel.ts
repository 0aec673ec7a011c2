/**
 * Docker's label on what a stack makes and may have to find again without its state, with its value, `STACK/NAME`: two
 * people's stacks on one Docker may be called the same.
 */
export function ownLabel(stack: string, name: string): { key: string; value: string } {
  return { key: "openclaw-kasm.stack", value: `${stack}/${name}` };
}
