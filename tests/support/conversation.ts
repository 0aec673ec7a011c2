import { z } from "zod";
import { docker } from "./docker";

const historySchema = z.object({ messages: z.array(z.unknown()) });

/**
 * The OpenClaw in a container, by its own command line.
 * @param run runs Docker; this machine's unless given
 */
export function openclawIn(container: string, run: typeof docker = docker) {
  const openclaw = (...args: string[]) => run("exec", container, "openclaw", ...args);

  /** Sends a message to the agent and waits for its answer. */
  const say = async (text: string): Promise<void> => {
    await openclaw("agent", "--agent", "main", "--message", text);
  };

  /** Whether the agent's answer to a text is in the conversation, as the gateway knows it. */
  const remembers = async (text: string): Promise<boolean> => {
    const params = JSON.stringify({ sessionKey: "agent:main:main" });
    const call = ["gateway", "call", "chat.history", "--json", "--params", params];
    const { messages } = historySchema.parse(JSON.parse(await openclaw(...call)));
    return new RegExp(`stand-in heard: [^"]*${text}`).test(JSON.stringify(messages));
  };

  const version = async (): Promise<string | undefined> =>
    /\d{4}\.\d+\.\d+/.exec(await openclaw("--version"))?.[0];

  return { say, remembers, version };
}
