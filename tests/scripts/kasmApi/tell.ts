import { type HandedOver, handOver } from "../../../providers/kasm/currentConnection";
import type { Connection } from "../../../providers/kasm/transport";

const handedOver: HandedOver[] = [];

/** Tells the providers of this process a connection, as a command does. */
export async function tell(connection: Connection): Promise<void> {
  const told = await handOver(connection);
  handedOver.push(told);
  Object.assign(process.env, told.env);
}

/** Stops providing the connection of {@link tell}. */
export function untell(): void {
  for (const { env, end } of handedOver.splice(0)) {
    Object.keys(env).forEach((name) => Reflect.deleteProperty(process.env, name));
    end();
  }
}
