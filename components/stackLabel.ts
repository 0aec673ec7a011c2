/**
 * Docker's label on what a stack makes and may have to find again without its state, with its value, `STACK/NAME`: two
 * people's stacks on one Docker may be called the same.
 */
export function ownLabel(stack: string, name: string): { key: string; value: string } {
  return { key: stackKey, value: `${stack}/${name}` };
}

/** Key of {@link ownLabel}. */
export const stackKey = "openclaw-kasm.stack";

/** Key of the label with the options of a network between hosts, as JSON. */
export const optionsKey = "openclaw-kasm.options";

/**
 * Returns the stack that a thing is of, unless it is the given one or the thing says nothing.
 * @param owner a label's value, or the name of a stack
 */
export function otherStack(owner: string, stack: string): string | undefined {
  const [other = ""] = owner.split("/");
  return other === "" || other === stack ? undefined : other;
}

/**
 * Returns what a message says about a thing that has to be a stack's own and is not, or nothing if it is.
 * @param owner as for {@link otherStack}
 */
export function notOwn(owner: string, stack: string): string | undefined {
  const other = otherStack(owner, stack);
  if (other !== undefined) {
    return `is of stack ${other}`;
  }
  return owner === "" ? "was not created by this stack" : undefined;
}
