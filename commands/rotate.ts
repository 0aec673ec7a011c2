import { namespace } from "../settings";
import { urnOf, withDeployment } from "./deployment";
import { chosenInstance } from "./instance";
import { prepareHost } from "./recovery";
import { deploy } from "./up";
import { UserError } from "./userError";

/** The generated secrets by the names that people use: the setting that would be given instead, and what its resource is called after its gateway's. */
const generated = {
  password: { setting: "password", resource: "password" },
  token: { setting: "gatewayToken", resource: "token" },
} as const;

/** Names of what can be rotated. */
export type Rotatable = keyof typeof generated;

/** `npm run rotate -- password`: a new secret in place of a generated one; the old one stops working at once. */
export async function rotate(
  secret: Rotatable,
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
    await prepareHost(deployment);
    await deploy(deployment, ["--replace", await urnOf(deployment, `${owner}-${resource}`)]);
  });
}
