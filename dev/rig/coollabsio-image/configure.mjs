// Persisted settings, over them the environment's, over all OPENCLAW_CONFIG_JSON. The bind counts on the first boot only.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const { env } = process;
const file = `${env.OPENCLAW_STATE_DIR}/openclaw.json`;
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

function merge(into, from) {
  for (const [key, value] of Object.entries(from)) {
    into[key] = isObject(value) && isObject(into[key]) ? merge(into[key], value) : value;
  }
  return into;
}

const config = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
config.gateway ??= {};
config.gateway.bind ??= env.OPENCLAW_GATEWAY_BIND ?? "loopback";
merge(config, {
  gateway: {
    mode: "local",
    port: 18789,
    auth: { mode: "token", token: env.OPENCLAW_GATEWAY_TOKEN },
  },
});
merge(config, JSON.parse(env.OPENCLAW_CONFIG_JSON ?? "{}"));
writeFileSync(file, JSON.stringify(config, undefined, 2));
