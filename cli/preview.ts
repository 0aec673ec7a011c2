import { readFileSync, writeFileSync } from "node:fs";
import { withDeployment } from "../pulumi/deployment";
import { type Engine, runPulumi } from "../pulumi/engine";
import { namelessFile } from "../pulumi/namelessFile";
import { previewReport } from "../pulumi/previewReport";
import { UserError } from "../host/userError";

interface PreviewOptions {
  readonly stack: string;
  readonly refresh: boolean;
  readonly expectNoChanges: boolean;
  readonly report?: string;
}

/** `npm run preview`: what `up` would change, judged by the policy pack. Nothing is changed. */
export async function preview({ stack, report, ...options }: PreviewOptions): Promise<void> {
  const tell = (outcome: { status: number; events: string }) => {
    if (report !== undefined) {
      writeFileSync(report, previewReport({ stack, ...outcome }));
    }
  };
  // Settings that are wrong end it before the engine has a say.
  tell({ status: 1, events: "" });
  await withDeployment(stack, async ({ engine }) => {
    const outcome = await previewWithEvents(engine, [
      ...["preview", "--stack", stack, "--policy-pack", "policy"],
      ...(options.refresh ? ["--refresh"] : []),
      ...(options.expectNoChanges ? ["--expect-no-changes"] : []),
    ]);
    tell(outcome);
    if (outcome.status !== 0) {
      throw new UserError(
        `The preview of stack ${stack} is red; what Pulumi says above names the cause.`,
      );
    }
  });
}

/** Runs a preview on this terminal, and keeps the engine's events: `--json` leaves out what policies say. */
async function previewWithEvents(
  engine: Engine,
  args: readonly string[],
): Promise<{ status: number; events: string }> {
  // The log's debug messages hold secrets in clear: it is in no file that outlives this process, even if it is killed.
  const log = namelessFile();
  // The option is one of the "debug commands".
  const env = { ...engine.env, PULUMI_DEBUG_COMMANDS: "true" };
  const options = ["--event-log", "/dev/fd/3"];
  const status = await runPulumi({ ...engine, env }, [...args, ...options], [log.writing]);
  return { status, events: readFileSync(log.reading, "utf8") };
}
