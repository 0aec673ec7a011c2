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
  capabilities: { adds: ["ALL"] },
  devices: [{ hostPath: "/dev/sda" }],
  pidMode: "host",
  securityOpts: ["seccomp=unconfined"],
  volumes: [{ hostPath: "/var/run/docker.sock", containerPath: "/var/run/docker.sock" }],
});
new docker.Volume("volume", { driverOpts: { type: "none", o: "bind", device: "/etc" } });
new docker.Service("service", { taskSpec: { containerSpec: { image: "nginx:1.29.1" } } });
new Workspace("workspace", {
  image: "openclaw-kasm:latest",
  runConfig: {
    privileged: true,
    network_mode: "host",
    security_opt: ["apparmor=unconfined"],
    mounts: [{ type: "bind", source: "/", target: "/host" }],
    environment: { OPENAI_API_KEY: pulumi.secret("sk-in-clear") },
  },
  volumeMappings: { "/var/run": { bind: "/var/run" } },
});
