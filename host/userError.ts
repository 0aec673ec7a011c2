/** A problem that the person at the keyboard can solve; printed without a stack. */
export class UserError extends Error {}
