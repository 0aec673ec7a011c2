import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Project } from "./project";

/**
 * Expects that secrets are in clear in nothing that a stack keeps in files (its state and history), in no preview, and in nothing
 * that Docker shows of a gateway: its container, log and image. A change of people must be pending, which the preview shows.
 * @param run runs a shell script on the gateway's host and returns its output
 */
export async function expectNotShown(
  secrets: readonly string[],
  project: Project,
  stack: string,
  container: string,
  run: (script: string) => Promise<string>,
): Promise<void> {
  const stacks = join(project.folder, "state/openclaw-kasm/stacks");
  const kept = readdirSync(stacks, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
  const preview = await project.pulumi("preview", "--diff", "--refresh", "--stack", stack);
  const shown = {
    ...Object.fromEntries(kept.map((file) => [file, readFileSync(file, "utf8")])),
    preview: preview.text,
    inspect: await run(`docker inspect ${container}`),
    image: await run(`docker image inspect $(docker inspect --format '{{.Image}}' ${container})`),
    history: await run(
      `docker history --no-trunc $(docker inspect --format '{{.Image}}' ${container})`,
    ),
    log: await run(`docker logs ${container} 2>&1`),
  };

  expect(Object.keys(shown)).toContainEqual(expect.stringContaining("/history/"));
  expect(shown.preview).toMatch(/openclaw-people\b/);
  expect(shown.log).toContain("start-gateway: dashboard at");
  expect(secrets.length).toBeGreaterThan(0);
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)]);
  const leaks = Object.entries(shown).flatMap(([place, text]) =>
    forms.some((form) => text.includes(form)) ? place : [],
  );
  expect(leaks).toEqual([]);
}
