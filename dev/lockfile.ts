import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { $ } from "zx";
import { shape } from "../config/schema";
import { UserError } from "../host/userError";
import { progress, say } from "../host/terminal";

/** Folders of the images' build contexts that hold the packages of OpenClaw; all have the same files. */
const folders = ["assets/gateway-image/openclaw", "assets/kasm-image/openclaw"] as const;

/** `npm run lockfile -- VERSION`: pins the packages that the images install with a version of OpenClaw. */
export async function lockfile(version: string): Promise<void> {
  const { schema, expected } = shape.openclawVersion;
  if (!schema.safeParse(version).success) {
    throw new UserError(`${version} is not usable: expected ${expected}`);
  }
  const [first, ...others] = folders;
  progress(`Asking the npm registry which packages OpenClaw ${version} needs`);
  const manifest = join(first, "package.json");
  const before = readFileSync(manifest, "utf8");
  const dependencies = { openclaw: version };
  writeFileSync(
    manifest,
    `${JSON.stringify({ name: "openclaw-image", private: true, dependencies }, undefined, 2)}\n`,
  );
  // Without addresses, so that each build asks the registry that its own npm is set up with.
  const options = ["--package-lock-only", "--ignore-scripts", "--omit-lockfile-registry-resolved"];
  const quiet = ["--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"];
  const lock = $({ cwd: first, quiet: true, nothrow: true });
  const made = await lock`npm install ${options} ${quiet}`;
  if (made.exitCode !== 0) {
    writeFileSync(manifest, before);
    throw new UserError(
      `npm can't choose the packages of OpenClaw ${version}: ${made.stderr.trim()}`,
    );
  }
  for (const other of others) {
    for (const name of ["package.json", "package-lock.json"]) {
      copyFileSync(join(first, name), join(other, name));
    }
  }
  say(`${folders.join(" and ")} pin the packages of OpenClaw ${version}.`);
}
