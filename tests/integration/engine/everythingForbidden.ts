import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

// A program that breaks every rule of the policy pack, for a preview only.

class Gateway extends pulumi.ComponentResource {
  constructor(name: string) {
    super("openclaw:index:OpenClawStandalone", name);
    this.registerOutputs({ keepsData: false });
  }
}

class Workspace extends pulumi.dynamic.Resource {
  constructor(name: string, inputs: pulumi.Inputs) {
    const provider = { create: () => Promise.resolve({ id: name, outs: {} }) };
    super(provider, name, inputs, {}, "openclaw", "KasmWorkspace");
  }
}

new Gateway("gateway");
new docker.RemoteImage("image", { name: "nginx" });
new docker.Container("container", {
  image: "nginx:latest",
  ports: [{ internal: 80, external: 8080 }],
  privileged: true,
  volumes: [{ hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" }],
});
new Workspace("workspace", {
  image: "openclaw-kasm:latest",
  runConfig: { privileged: true, environment: { OPENAI_API_KEY: pulumi.secret("sk-in-clear") } },
  volumeMappings: { "/var/run": { bind: "/var/run" } },
});
