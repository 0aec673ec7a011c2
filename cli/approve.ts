import Table from "cli-table3";
import { printable } from "../host/printable";
import { z } from "zod";
import { buildsImage } from "../config";
import { lookAtDeployment, onHostOf } from "../pulumi/deployment";
import { chosenInstance } from "./instance";
import { dockerOn } from "../host/run";
import { UserError } from "../host/userError";

/** Ids go into command lines that a shell on the server takes apart. */
const requestId = /^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$/;

const devicesSchema = z.object({
  pending: z.array(
    z.object({
      requestId: z.string().regex(requestId),
      displayName: z.string().optional(),
      clientId: z.string().optional(),
      platform: z.string().optional(),
      remoteIp: z.string().optional(),
      role: z.string().optional(),
    }),
  ),
});

/** `npm run approve [-- ID]`: lists the browsers that wait to be let in, or lets one in. */
export async function approve(
  id: string | undefined,
  { stack, instance }: { stack: string; instance?: string },
): Promise<void> {
  if (id !== undefined && !requestId.test(id)) {
    throw new UserError(
      `${JSON.stringify(id)} is not the id of a request: npm run approve lists them.`,
    );
  }
  await lookAtDeployment(stack, async (deployment) => {
    const { settings } = deployment;
    if (buildsImage(settings)) {
      console.log(
        `Browsers need no approval: with the built image of stack ${stack} the login is enough.`,
      );
      return;
    }
    const chosen = chosenInstance(settings, instance);
    const { target } = onHostOf(deployment, chosen);
    const { containerName } = chosen.settings;
    const devices = async (...args: string[]) => {
      const command = ["exec", containerName, "openclaw", "devices", ...args];
      const done = await dockerOn(target, ...command);
      if (done.exitCode !== 0) {
        throw new UserError(`The gateway can't be asked: ${(done.stderr || done.stdout).trim()}`);
      }
      return done.stdout;
    };
    if (id === undefined) {
      console.log(waiting(stack, await devices("list", "--json")));
    } else {
      await devices("approve", id);
      console.log(`${id} is let in.`);
    }
  });
}

/** The requests in what `openclaw devices list --json` prints, for a person. */
export function waiting(stack: string, json: string): string {
  const { pending } = devicesSchema.parse(JSON.parse(json));
  if (pending.length === 0) {
    return "No browser waits for approval. Open the dashboard with the gateway token first.";
  }
  const table = new Table({
    head: ["id", "device", "platform", "address", "role"],
    style: { head: [], border: [], compact: true },
  });
  table.push(
    ...pending.map(({ requestId: id, displayName, clientId, platform, remoteIp, role }) =>
      [id, displayName ?? clientId, platform, remoteIp, role].map((text) =>
        printable(text ?? "")
          .replaceAll("\n", " ")
          .slice(0, 60),
      ),
    ),
  );
  return `${table.toString()}\nLet one in: npm run approve -- ID --stack ${stack}`;
}
