/** A host that can't take the deployment: every reason at once. */
export class HostError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(
      [
        "This host is not ready; nothing has been changed:",
        ...problems.map((problem) => `  - ${problem}`),
      ].join("\n"),
    );
    this.name = "HostError";
  }
}
