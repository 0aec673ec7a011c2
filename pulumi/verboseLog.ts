import { readFileSync } from "node:fs";
import { z } from "zod";
import { $ } from "../host/shellCommand";
import { type Engine, pulumiJson, readConfig } from "./engine";
import { attended } from "./interruption";
import { namelessFile } from "./namelessFile";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";

/** Whether a run is asked to say more than it does by itself: Pulumi's engine and SDK then write secrets in clear. */
export function isVerbose(args: readonly string[]): boolean {
  return args.some(
    (arg) =>
      /^--(debug|logflow|logtostderr|verbose)(=.*)?$/.test(arg) ||
      // Short ones that take no value may stand together with others.
      /^-[efjry]*[dv]/.test(arg),
  );
}

/**
 * Runs the CLI and shows all that it says at the end, without the stack's secrets: what they are is known only then.
 * @returns its exit status
 * @throws UserError where the secrets can't be known; the log is not shown then
 */
export async function runVerbosely(
  engine: Engine,
  args: readonly string[],
  stack: string | undefined,
): Promise<number> {
  progress("The log comes at the end, without the stack's secrets");
  const log = namelessFile();
  // Without that option the engine writes to files of its own.
  const { exitCode } = await attended(
    () =>
      $({
        env: engine.env,
        stdio: ["inherit", log.writing, log.writing],
        nothrow: true,
      })`${engine.pulumi} ${args} --logtostderr`,
  );
  const secrets = await secretsOf(engine, stack).catch((error: unknown) => {
    throw new UserError(
      `The stack's secrets can't be read, so its log is not shown, which holds them in clear: ${String(error)}`,
    );
  });
  process.stdout.write(withoutSecrets(readFileSync(log.reading, "utf8"), secrets));
  return exitCode ?? 1;
}

/** Everything that a stack keeps encrypted, in its settings and in its state. */
async function secretsOf(engine: Engine, stack: string | undefined): Promise<string[]> {
  const of = stack === undefined ? [] : ["--stack", stack];
  const [state, config] = await Promise.all([
    pulumiJson(engine, ["stack", "export", "--show-secrets", ...of]),
    readConfig(engine, stack),
  ]);
  const settings = Object.values(config)
    .filter(({ secret }) => secret)
    .flatMap(({ value }) => [value, ...texts(parsed(value))]);
  return [...settings, ...secretTexts(state)];
}

/** How an exported state marks a secret; its value is JSON. */
const markedSchema = z.object({
  "4dabf18193072939515e22adb298388d": z.literal("1b47061264138c4ac30d75fd1eb44270"),
  plaintext: z.string(),
});

/** Every text in the secrets of an exported state. */
export function secretTexts(value: unknown): string[] {
  const marked = markedSchema.safeParse(value);
  if (marked.success) {
    return texts(parsed(marked.data.plaintext));
  }
  return children(value).flatMap(secretTexts);
}

function texts(value: unknown): string[] {
  return typeof value === "string" ? [value] : children(value).flatMap(texts);
}

function children(value: unknown): unknown[] {
  return typeof value === "object" && value !== null ? Object.values(value) : [];
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return json;
  }
}

/** Shorter ones would take ordinary words with them; the settings take no shorter secret. */
const shortest = 8;

/** A text with each secret blacked out, as it is and as it stands in JSON and in Go's quotes, once and twice over. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const quoted = (secret: string) => JSON.stringify(secret).slice(1, -1);
  const forms = secrets
    .filter(({ length }) => length >= shortest)
    .flatMap((secret) => [secret, quoted(secret), quoted(quoted(secret))]);
  // What holds another one goes first.
  const ordered = [...new Set(forms)].sort((one, other) => other.length - one.length);
  return ordered.reduce((rest, secret) => rest.replaceAll(secret, "[secret]"), text);
}
