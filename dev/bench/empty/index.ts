import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";
import * as random from "@pulumi/random";

// A provider is what makes the engine start its plugin; that of dynamic resources starts for a resource.
new command.Provider("command");
new docker.Provider("docker");
new random.Provider("random");

class Nothing extends pulumi.dynamic.Resource {
  constructor(name: string) {
    super({ create: () => Promise.resolve({ id: name }) }, name, {});
  }
}
new Nothing("nothing");
