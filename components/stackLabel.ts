/**
 * Docker's label on what a stack makes and may have to find again without its state, as `STACK/NAME`: two people's stacks
 * on one Docker may be called the same.
 */
export const stackLabel = "openclaw-kasm.stack";
