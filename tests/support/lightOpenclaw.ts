import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The npm package that is installed in place of OpenClaw; see its README. */
export const lightFolder = join(__dirname, "../light-openclaw");

/** Has a copy of the gateway image's folder install tests/light-openclaw in place of the package from npm. */
export function useLightOpenclaw(folder: string): void {
  cpSync(lightFolder, join(folder, "openclaw"), { recursive: true });
  const dockerfile = join(folder, "Dockerfile");
  const text = readFileSync(dockerfile, "utf8");
  const light = text
    .replace(/^ARG OPENCLAW_VERSION.*$/m, "$&\nCOPY openclaw/ /opt/openclaw/")
    .replace(
      '"openclaw@${OPENCLAW_VERSION}"',
      '/opt/openclaw && (cd /opt/openclaw && npm pkg set "version=${OPENCLAW_VERSION}")',
    );
  if (!light.includes("COPY openclaw/") || light.includes("openclaw@$")) {
    throw new Error(`${dockerfile} installs OpenClaw in another way than expected`);
  }
  writeFileSync(dockerfile, light);
}

/** Has a copy of the desktop image's folder add nothing to its base, for tests that only start desktops. */
export function useLightDesktop(folder: string): void {
  writeFileSync(join(folder, "Dockerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n");
}
