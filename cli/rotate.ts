import { readFileSync } from "node:fs";
import { namespace, type Settings } from "../config";
import { serversOf } from "../config/host";
import { onHosts, openStack, readSettings, urnsOf, withAccess } from "../pulumi/deployment";
import { type Engine, runPulumi } from "../pulumi/engine";
import { chosenInstance } from "./instance";
import { withHostLocks } from "../host/lock";
import { prepareHost } from "../pulumi/recovery";
import { deploy } from "./up";
import { UserError } from "../host/userError";
import { progress } from "../host/terminal";
import { replaceFile } from "../host/files";

/** A stack's secret by the name that people use: where it stands in the settings if it was given, else what its resource is called after its gateway's. */
export type Secret =
  | { readonly name: string; readonly given: string }
  | { readonly name: string; readonly generated: string };

/** `npm run rotate -- SECRET...`: other secrets in place of the present ones, which stop working at once. */
export async function rotate(
  names: string[],
  { stack, instance }: { stack: string; instance?: string },
): Promise<void> {
  const engine = await openStack(stack);
  const settings = await readSettings(engine, stack);
  const secrets = secretsNamed(settings, names);
  const generated = secrets.flatMap((secret) =>
    "generated" in secret
      ? `${chosenInstance(settings, instance).resource}-${secret.generated}`
      : [],
  );
  for (const secret of secrets) {
    if ("given" in secret) {
      await ask(engine, stack, secret);
    }
  }
  await withAccess(engine, stack, await readSettings(engine, stack), async (deployment) => {
    await prepareHost(deployment);
    const replaced = generated.length > 0 ? await urnsOf(deployment, generated) : [];
    const options = replaced.flatMap((urn) => ["--replace", urn]);
    await withHostLocks(onHosts(deployment), "rotate", () => deploy(deployment, options));
  });
}

/**
 * A stack's secrets by name.
 * @throws UserError with the names that it has, where one is not among them
 */
export function secretsNamed(settings: Settings, names: readonly string[]): Secret[] {
  const known = secretsOf(settings);
  const unknown = names.filter((name) => !known.some((secret) => secret.name === name));
  if (unknown.length > 0) {
    throw new UserError(
      `This stack has no secret ${unknown.join(", ")}: expected ${known.map(({ name }) => name).join(", ")}`,
    );
  }
  return known.filter(({ name }) => names.includes(name));
}

function secretsOf(settings: Settings): Secret[] {
  const { password, people, kasmGroups, gatewayToken, providerKeys } = settings;
  const others = [
    ...(["kasmApiKey", "kasmApiSecret", "kasmRegistryPassword"] as const),
    ...(["offsiteAccessKey", "offsiteSecretKey", "oidcClientSecret"] as const),
  ];
  const ofPeople = Object.entries(people).map(([person, { password: own }]): Secret => {
    const name = `person:${person}`;
    return own
      ? { name, given: `people[${JSON.stringify(person)}].password` }
      : { name, generated: `password-${person}` };
  });
  const ofOne: Secret = password
    ? { name: "password", given: "password" }
    : { name: "password", generated: "password" };
  return [
    ...(ofPeople.length > 0 ? ofPeople : [ofOne]),
    ...(kasmGroups.length > 0 ? [{ name: "kasmPasswords", generated: "kasm-passwords" }] : []),
    gatewayToken ? { name: "token", given: "gatewayToken" } : { name: "token", generated: "token" },
    ...Object.keys(providerKeys).map((name) => ({ name, given: `providerKeys.${name}` })),
    ...others.filter((name) => settings[name]).map((name) => ({ name, given: name })),
    ...serversOf(settings)
      .filter(([, server]) => server.privateKey)
      .map(([place]) => ({ name: `${place}.privateKey`, given: `${place}.privateKey` })),
  ];
}

/** The CLI asks at a terminal, unseen, and else reads standard input; a value that is not usable is not kept. */
async function ask(
  engine: Engine,
  stack: string,
  { name, given }: Extract<Secret, { given: string }>,
): Promise<void> {
  const file = `Pulumi.${stack}.yaml`;
  const before = readFileSync(file, "utf8");
  progress(`The new ${name}, which is kept encrypted in ${file}:`);
  const path = ["--secret", "--path", `${namespace}:${given}`, "--stack", stack];
  if ((await runPulumi(engine, ["config", "set", ...path])) !== 0) {
    throw new UserError(`${name} could not be set.`);
  }
  await readSettings(engine, stack).catch((error: unknown) => {
    replaceFile(file, before);
    throw error;
  });
}
