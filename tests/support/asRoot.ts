import { userInfo } from "node:os";

/** `describe` for what only root can set up, such as files of several accounts: `npm test`, which runs as root, has these. */
export function describeAsRoot(name: string, tests: () => void): void {
  if (userInfo().uid === 0) {
    describe(name, tests);
  }
}
