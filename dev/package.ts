import { cpSync, rmSync } from "node:fs";
import { $ } from "zx";

/** `npm pack` runs it: compiles the public library to `dist/`, with the assets that it sends. */
export async function packageLibrary(): Promise<void> {
  rmSync("dist", { recursive: true, force: true });
  await $({ stdio: "inherit" })`npx --no-install tsc --project tsconfig.library.json`;
  cpSync("assets", "dist/assets", { recursive: true });
}
