import * as pulumi from "@pulumi/pulumi";
import { BaseImage } from "../../../../components/baseImage";
import { baseImageName } from "../../../../components/baseImageCommand";
import { DataDirectory } from "../../../../components/gateway/dataDirectory";

// The directory and the base alone, as the components declare them.

const directory = new pulumi.Config("openclaw").require("directory");
const upstream = "node:26-bookworm-slim";

new DataDirectory("openclaw-data", { target: {}, directory, removeData: true });
new BaseImage("openclaw-base-image", {
  target: {},
  reference: baseImageName("base", pulumi.getStack(), { upstream }),
  upstream,
});
