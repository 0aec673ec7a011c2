import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as random from "@pulumi/random";

// A provider is what makes the engine start its plugin.
new command.Provider("command");
new docker.Provider("docker");
new random.Provider("random");
