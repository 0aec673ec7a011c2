import * as pulumi from "@pulumi/pulumi";
import { Host, KasmWorkspaceRegistration, OpenClawKasmImage } from "openclaw-kasm";

const config = new pulumi.Config();
const registry = config.require("registry");
const registryPassword = config.requireSecret("registryPassword");

const host = new Host("kasm", {
  address: config.require("address"),
  hostKey: config.require("hostKey"),
  privateKey: config.requireSecret("privateKey"),
});

const image = new OpenClawKasmImage("desktop", {
  host,
  push: { registry, username: "builder", password: registryPassword },
});

new KasmWorkspaceRegistration("openclaw-desktop", {
  kasm: {
    kasmUrl: `https://${config.require("address")}`,
    apiKey: config.requireSecret("kasmApiKey"),
    apiSecret: config.requireSecret("kasmApiSecret"),
  },
  kind: "desktop",
  host,
  image,
  dockerRegistry: `https://${registry}`,
  dockerUser: "builder",
  dockerToken: registryPassword,
});

export const reference = image.reference;
