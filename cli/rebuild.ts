import { checkBuilt, currentTime, rebuildSetting, withGateways, withWayBack } from "./upgrade";
import { say } from "../host/terminal";

/** `npm run rebuild`: the stack's images anew, on current packages, with the same OpenClaw and data. */
export async function rebuild({ stack }: { stack: string }): Promise<void> {
  await withGateways(stack, "rebuild", async (deployment, gateways) => {
    checkBuilt(stack, deployment.settings);
    const imagesFrom = currentTime();
    const [{ openclawVersion }] = gateways;
    await withWayBack(deployment, gateways, {
      name: `OpenClaw ${openclawVersion} on current packages`,
      previous: `OpenClaw ${openclawVersion} on its previous packages`,
      log: "rebuild",
      settings: [rebuildSetting(imagesFrom)],
      // It writes to the data as the one before did.
      saved: new Map(),
    });
    say(
      `The images of stack ${stack} are built on packages of ${imagesFrom}; Pulumi.${stack}.yaml says so too.`,
    );
  });
}
