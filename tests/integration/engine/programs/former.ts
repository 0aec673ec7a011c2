import { local } from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { scriptWith } from "../../../../host/shell";

// The directory and the base as an earlier version declared them: by commands, which a refresh does not check.

const directory = new pulumi.Config("openclaw").require("directory");
const variables = { DIRECTORY: directory, OWNER: "1000:1000", STACK: "dev", REMOVE_DATA: "true" };
const base = "openclaw-kasm/base:0123456789ab";

new local.Command("openclaw-data", {
  create: "sh -s -- apply",
  delete: "sh -s -- remove",
  triggers: [directory],
  stdin: pulumi.secret(scriptWith("data-directory.sh", variables)),
});
new local.Command("openclaw-base-image", {
  create: `assets/base-image/ensure.sh ${base} node:26-bookworm-slim`,
  delete: `assets/base-image/remove.sh ${base}`,
  environment: { DOCKER_COMMAND: "docker" },
});
