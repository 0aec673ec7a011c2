import { openEngine, runPulumi } from "./engine";

/** `npm run pulumi -- …`: the plain CLI. */
export async function passThrough(args: string[]): Promise<void> {
  process.exitCode = await runPulumi(await openEngine(), args);
}
