import { z } from "zod";
import { namespace } from "../settings";
import { type Deployment, withDeployment } from "./deployment";
import { pulumiJson } from "./engine";
import { chosenInstance } from "./instance";
import { recover } from "./recovery";
import { deploy } from "./up";
import { UserError } from "./userError";

/** The generated secrets by the names that people use: the setting that would be given instead, and what its resource is called after its gateway's. */
const generated = {
  password: { setting: "password", resource: "password" },
  token: { setting: "gatewayToken", resource: "token" },
} as const;

/** Names of what can be rotated. */
export const rotatable = Object.keys(generated) as (keyof typeof generated)[];

/** `npm run rotate -- password`: a new secret in place of a generated one; the old one stops working at once. */
export async function rotate(
  secret: keyof typeof generated,
  { stack, instance }: { stack: string; instance?: string },
): Promise<void> {
  const { setting, resource } = generated[secret];
  await withDeployment(stack, async (deployment) => {
    if (deployment.settings[setting] !== "") {
      throw new UserError(
        `The ${secret} of stack ${stack} is given, not generated. Set another one, then run up:\n  npm run pulumi -- config set --secret ${namespace}:${setting} --stack ${stack}`,
      );
    }
    const owner = chosenInstance(deployment.settings, instance).resource;
    await recover(deployment);
    await deploy(deployment, ["--replace", await urnOf(deployment, `${owner}-${resource}`)]);
  });
}

const exportSchema = z.object({
  deployment: z.object({ resources: z.array(z.object({ urn: z.string() })).default([]) }),
});

async function urnOf({ engine, stack }: Deployment, resource: string): Promise<string> {
  const exported = exportSchema.parse(
    await pulumiJson(engine, ["stack", "export", "--stack", stack]),
  );
  const found = exported.deployment.resources.find(({ urn }) => urn.endsWith(`::${resource}`));
  if (found === undefined) {
    throw new UserError(`Stack ${stack} is not deployed yet: npm run up -- --stack ${stack}`);
  }
  return found.urn;
}
