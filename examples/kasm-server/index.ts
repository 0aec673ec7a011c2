import * as pulumi from "@pulumi/pulumi";
import { Host, KasmNginxRoute, KasmWorkspaceRegistration, OpenClawStandalone } from "openclaw-kasm";

const config = new pulumi.Config();

const host = new Host("kasm", {
  address: config.require("address"),
  user: config.get("user"),
  hostKey: config.require("hostKey"),
  privateKey: config.requireSecret("privateKey"),
});

const gateway = new OpenClawStandalone("openclaw", {
  host,
  providerKeys: { ANTHROPIC_API_KEY: config.requireSecret("anthropicKey") },
  browser: true,
});
const route = new KasmNginxRoute("route", { gateway, path: "/openclaw" });

const kasm = {
  kasmUrl: `https://${config.require("address")}`,
  apiKey: config.requireSecret("kasmApiKey"),
  apiSecret: config.requireSecret("kasmApiSecret"),
};
new KasmWorkspaceRegistration("openclaw-browser", { kasm, kind: "browser", opens: gateway });
new KasmWorkspaceRegistration("openclaw-link", { kasm, kind: "link", opens: route });

export const url = route.url;
export const password = gateway.password;
