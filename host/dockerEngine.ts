import { which } from "zx";
import { $ } from "./shellCommand";
import type { HostTarget } from "./target";
import { UserError } from "./userError";

/** The variables by which Docker's client and Pulumi's provider choose an engine, each with rules of its own. */
const names = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"] as const;

/** A value for each of the variables; undefined takes it away. */
export type EngineChoice = { readonly [Name in (typeof names)[number]]: string | undefined };

/**
 * The variables with which the provider, scripts and commands all work on one engine: a server's own, or on this machine
 * the one that Docker's client has chosen. A context counts for the client alone; its address counts for all.
 * @throws UserError when the client knows no such context
 */
export async function engineChoice({ ssh }: HostTarget): Promise<EngineChoice> {
  const { DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH } = process.env;
  if (ssh) {
    return choice({});
  }
  if (DOCKER_HOST || (await which("docker", { nothrow: true })) === null) {
    return choice({ DOCKER_HOST, DOCKER_TLS_VERIFY, DOCKER_CERT_PATH });
  }
  const format =
    "{{.Name}}|{{.Endpoints.docker.Host}}|{{len .TLSMaterial}}|{{.Storage.TLSPath}}/docker";
  const asked = await $({ quiet: true, nothrow: true })`docker context inspect --format ${format}`;
  if (asked.exitCode !== 0) {
    throw new UserError(`Docker's context can't be used: ${asked.stderr.trim()}`);
  }
  const [name, host, materials, certificates] = asked.stdout.trim().split("|");
  if (name === "default" || !host) {
    return choice({ DOCKER_TLS_VERIFY, DOCKER_CERT_PATH });
  }
  const tls = { DOCKER_TLS_VERIFY: "1", DOCKER_CERT_PATH: certificates };
  return choice({ DOCKER_HOST: host, ...(materials === "0" ? {} : tls) });
}

function choice(given: Partial<EngineChoice>): EngineChoice {
  const all = Object.fromEntries(names.map((name) => [name, given[name]]));
  return all as EngineChoice;
}

/** Chooses an engine for what this process starts. */
export function chooseEngine(chosen: EngineChoice): void {
  for (const name of names) {
    if (chosen[name] === undefined) {
      Reflect.deleteProperty(process.env, name);
    } else {
      process.env[name] = chosen[name];
    }
  }
}

/** An environment in which an engine is chosen. */
export function withEngineChoice(env: NodeJS.ProcessEnv, chosen: EngineChoice): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries({ ...env, ...chosen }).filter(([, value]) => value !== undefined),
  );
}
