import * as pulumi from "@pulumi/pulumi";
import { Host, KasmNginxRoute, OpenClawImages, OpenClawStandalone } from "openclaw-kasm";

const config = new pulumi.Config();
const people = config.requireObject<string[]>("people");

const host = new Host("kasm", {
  address: config.require("address"),
  hostKey: config.require("hostKey"),
  privateKey: config.requireSecret("privateKey"),
});

// All gateways run the same images, which are built once.
const images = new OpenClawImages("openclaw", { host });

const gateways = people.map((person, index) => {
  const gateway = new OpenClawStandalone(`openclaw-${person}`, {
    host,
    images,
    port: 8180 + index,
    username: person,
  });
  const route = new KasmNginxRoute(`route-${person}`, { gateway, path: `/openclaw/${person}` });
  return [person, { url: route.url, password: gateway.password }] as const;
});

export const logins = Object.fromEntries(gateways);
