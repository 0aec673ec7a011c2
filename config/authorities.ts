import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Settings } from "./index";

/** Returns the authorities that gateway and desktop trust. Only of a setting: what this machine's environment names would differ from machine to machine. */
export function extraAuthorities({ extraCaFile }: Settings): string | undefined {
  return extraCaFile === "" ? undefined : readFileSync(extraCaFile, "utf8");
}

/** Where the build finds the extra certificate authorities: one path, so that no machine's own path gets into the state. */
const stagedCaFile = ".build/extra-ca.pem";

/** Puts the extra certificate authorities where builds find them, and gives that path; an empty file where there are none. */
export function stageExtraCa(settings: Settings): string {
  const source = settings.extraCaFile || process.env.NODE_EXTRA_CA_CERTS;
  mkdirSync(dirname(stagedCaFile), { recursive: true });
  if (source) {
    copyFileSync(source, stagedCaFile);
  } else {
    writeFileSync(stagedCaFile, "");
  }
  return stagedCaFile;
}
