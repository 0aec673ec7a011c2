import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { $ } from "zx";
import { compare, numbers } from "./path";
import type { Part } from "./versions";

/** Where the Go modules are. */
export const goFolder = join(__dirname, "go");

/**
 * Checks that Go is there and new enough for the modules.
 *
 * @throws with what is missing and how to get on
 */
export async function checkGo(): Promise<void> {
  const needed = neededGo();
  const advice = `install Go ${needed} or newer, or let this machine reach the vendor's site`;
  const result = await $({ quiet: true, nothrow: true, cwd: goFolder })`go env GOVERSION`;
  if (result.exitCode !== 0) {
    throw new Error(
      `Building the engine needs Go, and there is no working "go" on PATH: ${advice}.`,
    );
  }
  const found = result.stdout.trim().replace(/^go/, "");
  const version = numbers(found);
  if (version === undefined || compare(version, numbers(needed) ?? []) < 0) {
    throw new Error(
      `Building the engine needs Go ${needed}, and "go" on PATH is ${found}: ${advice}.`,
    );
  }
}

function neededGo(): string {
  return /^go (\S+)$/m.exec(readFileSync(join(goFolder, "cli", "go.mod"), "utf8"))?.[1] ?? "1.25";
}

/**
 * Builds one part into a Pulumi home. The module's go.sum decides what is built: Go refuses anything else.
 *
 * @throws with the end of the compiler's output
 */
export async function buildPart(part: Part, home: string): Promise<void> {
  const target = join(home, part.target);
  await mkdir(dirname(target), { recursive: true });
  const result = await $({
    quiet: true,
    nothrow: true,
    cwd: join(goFolder, part.module),
    // Without cgo the result needs no C library and is the same on every Linux.
    env: {
      ...process.env,
      CGO_ENABLED: "0",
      GOFLAGS: "-mod=readonly -buildvcs=false",
      GOWORK: "off",
    },
  })`go build -p ${jobs()} -trimpath -ldflags ${`-s -w ${part.ldflags ?? ""}`.trim()} -o ${target} ${part.package}`;
  if (result.exitCode !== 0) {
    const end = result.stderr.trim().split("\n").slice(-8).join("\n");
    throw new Error(`Building ${part.name} failed:\n${end}`);
  }
}

/** How many compilers run at once: one per processor, but no more than memory allows at 1.5 GB each. */
function jobs(): number {
  return Math.max(1, Math.min(availableParallelism(), Math.floor(totalmem() / 1.5e9)));
}
