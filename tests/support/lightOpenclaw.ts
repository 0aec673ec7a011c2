import { cpSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The npm package that is installed in place of OpenClaw; see its README. */
export const lightFolder = join(__dirname, "../light-openclaw");

/** Has a copy of the gateway image's folder install tests/light-openclaw in place of the package from npm. */
export function useLightOpenclaw(folder: string): void {
  const openclaw = join(folder, "openclaw");
  if (!existsSync(join(openclaw, "install.sh"))) {
    throw new Error(`${folder} installs OpenClaw in another way than expected`);
  }
  rmSync(openclaw, { recursive: true });
  cpSync(lightFolder, openclaw, { recursive: true });
}

/** Has a copy of the desktop image's folder add nothing to its base, for tests that only start desktops. */
export function useLightDesktop(folder: string): void {
  writeFileSync(join(folder, "Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
}
