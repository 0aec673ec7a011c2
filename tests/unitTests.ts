import { availableParallelism } from "node:os";
import { $ } from "zx";
import { conclude, jest } from "./jest";

/** Projects of jest.config.js that need neither Docker nor root, engine or network. */
export const unitProjects = ["unit", "scripts"] as const;

/**
 * `npm run test:unit`: runs the tests that need neither Docker nor root, engine or network, and ends with
 * `N passed, N failed`.
 * @param files parts of paths of test files, to run only those
 * @param options.watch whether to run, until a person ends it, the tests of each file that changes
 */
export async function testUnit(files: string[], { watch }: { watch: boolean }): Promise<void> {
  if (watch) {
    const only = files.length === 0 ? [] : ["--testPathPatterns", ...files];
    await $({
      stdio: "inherit",
      nothrow: true,
    })`npx --no-install jest --selectProjects ${unitProjects} --watch ${only}`;
    return;
  }
  const begin = performance.now();
  // Many of them wait for what they started.
  const workers = availableParallelism() + 2;
  const outcome = await jest({ projects: unitProjects, files, workers });
  conclude([["unit", outcome, (performance.now() - begin) / 1000]]);
}
