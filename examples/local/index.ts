import * as pulumi from "@pulumi/pulumi";
import { OpenClawStandalone } from "openclaw-kasm";

const config = new pulumi.Config();

const gateway = new OpenClawStandalone("openclaw", {
  providerKeys: { ANTHROPIC_API_KEY: config.requireSecret("anthropicKey") },
});

export const urls = gateway.urls;
export const password = gateway.password;
