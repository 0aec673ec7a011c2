import { withNetworks } from "../../pulumi/networks";

const parent = "urn:pulumi:dev::openclaw::openclaw:index:OpenClawStandalone::openclaw";
const child = (type: string, name: string) =>
  `urn:pulumi:dev::openclaw::openclaw:index:OpenClawStandalone$${type}::openclaw-${name}`;
const provider = "urn:pulumi:dev::openclaw::pulumi:providers:docker::default_5_2_0::1";

const networkType = "docker:index/network:Network";
const formerType = "pulumi-nodejs:dynamic/openclaw:Network";
const urn = child(networkType, "network");

const image = {
  urn: child("docker:index/remoteImage:RemoteImage", "image"),
  type: "docker:index/remoteImage:RemoteImage",
  provider,
};
const former = {
  urn: child(formerType, "network"),
  type: formerType,
  id: "dev/openclaw-net",
  parent,
};
const container = (dependencies: string[] = []) => ({
  urn: child("docker:index/container:Container", "container"),
  type: "docker:index/container:Container",
  id: "c1",
  parent,
  provider,
  inputs: { name: "openclaw" },
  dependencies,
  propertyDependencies: { networkMode: dependencies },
});
const inputs = {
  __defaults: ["ipamDriver"],
  driver: "bridge",
  ipamDriver: "default",
  labels: [{ __defaults: [], label: "openclaw-kasm.stack", value: "dev/openclaw-net" }],
  name: "openclaw-net",
};
const network = (id: string) => ({
  urn,
  custom: true,
  type: networkType,
  id,
  inputs,
  outputs: { ...inputs, options: {} },
  parent,
  provider,
});
const gateway = (id?: string) => ({
  host: "",
  containerName: "openclaw",
  networkName: "openclaw-net",
  owner: "dev/openclaw-net",
  id,
});

const state = (...resources: object[]) => ({ version: 3, deployment: { resources } });

describe("a network that a script kept", () => {
  test("is docker.Network in its place, and what depends on it depends on that", () => {
    const before = state(image, former, container([former.urn]));

    expect(withNetworks(before, [gateway("n1")])).toEqual(
      state(image, network("n1"), container([urn])),
    );
  });

  test("has an id that no network has if it was deleted by hand, so that a refresh misses it", () => {
    const before = state(former, container([former.urn]));

    expect(withNetworks(before, [gateway()])).toEqual(
      state(network("dev/openclaw-net"), container([urn])),
    );
  });

  test("is gone from the state if Docker's provider never came to be", () => {
    expect(withNetworks(state(former), [gateway("n1")])).toEqual(state());
  });

  test("of another gateway stays as it is", () => {
    const other = { ...former, id: "dev/openclaw-net-bob" };

    expect(withNetworks(state(image, other), [gateway()])).toBeUndefined();
  });
});

describe("a network that the state lost", () => {
  test("is added in front of the gateway's container", () => {
    expect(withNetworks(state(image, container()), [gateway("n1")])).toEqual(
      state(image, network("n1"), container()),
    );
  });

  test("is added on its own host, in front of the forwarder to a gateway elsewhere", () => {
    const kasms = provider.replace("default_5_2_0", "host");
    const forwarder = {
      ...container(),
      urn: child("docker:index/container:Container", "route-forwarder"),
      provider: kasms,
      inputs: { name: "openclaw-route" },
    };
    const added = withNetworks(state(image, forwarder), [
      { ...gateway("n1"), containerName: "openclaw-route" },
    ]);

    expect(added).toEqual(
      state(
        image,
        { ...network("n1"), urn: child(networkType, "route-network"), provider: kasms },
        forwarder,
      ),
    );
  });

  test("is added on the web server that lost it, of several with the same forwarder", () => {
    const onServer = (name: string) => ({
      ...container(),
      urn: child("docker:index/container:Container", `${name}-route-forwarder`),
      provider: provider.replace("default_5_2_0", name),
      inputs: { name: "openclaw-route" },
    });
    const [first, second] = [onServer("host"), onServer("host-two")];
    const lost = { ...gateway("n1"), host: "two", containerName: "openclaw-route" };

    expect(withNetworks(state(first, second), [lost])).toEqual(
      state(
        first,
        {
          ...network("n1"),
          urn: child(networkType, "host-two-route-network"),
          provider: second.provider,
        },
        second,
      ),
    );
  });

  test("between hosts is added below its own component, in front of all that is on it", () => {
    const component = {
      urn: "urn:pulumi:dev::openclaw::openclaw:index:OverlayNetwork::openclaw-overlay",
      type: "openclaw:index:OverlayNetwork",
    };
    const overlayUrn = `${component.urn.replace("Network::", () => `Network$${networkType}::`)}-network`;
    const door = { ...container([overlayUrn]), inputs: { name: "openclaw-door" } };
    const forwarder = { ...container([overlayUrn]), inputs: { name: "openclaw-route" } };
    const options = '{"com.docker.network.driver.mtu":"1400"}';
    const lost = {
      ...{ host: "", containerName: "openclaw-route", networkName: "openclaw-hosts" },
      ...{ owner: "dev/openclaw-hosts", id: "n1", options },
    };
    const overlayInputs = {
      ...inputs,
      attachable: true,
      driver: "overlay",
      labels: [
        { __defaults: [], label: "openclaw-kasm.stack", value: lost.owner },
        { __defaults: [], label: "openclaw-kasm.options", value: options },
      ],
      name: "openclaw-hosts",
      options: JSON.parse(options) as object,
    };
    const overlay = {
      ...network("n1"),
      urn: overlayUrn,
      inputs: overlayInputs,
      outputs: overlayInputs,
      parent: component.urn,
    };

    expect(withNetworks(state(image, component, door, forwarder), [lost, lost])).toEqual(
      state(image, component, overlay, door, forwarder),
    );
    expect(withNetworks(state(image, component), [lost])).toBeUndefined();
  });

  test("is not added for a gateway of that name on another host", () => {
    const elsewhere = { ...container(), provider: provider.replace("default_5_2_0", "host-two") };

    expect(withNetworks(state(image, elsewhere), [gateway("n1")])).toBeUndefined();
  });

  test("replaces another one in the state", () => {
    const before = state(network("n0"), container([urn]));

    expect(withNetworks(before, [gateway("n1")])).toEqual(state(network("n1"), container([urn])));
  });

  test("is not added without its gateway's container", () => {
    const doomed = { ...container(), delete: true };

    expect(withNetworks(state(image), [gateway("n1")])).toBeUndefined();
    expect(withNetworks(state(image, doomed), [gateway("n1")])).toBeUndefined();
  });
});

test.each([
  ["it is known", state(network("n1"), container([urn])), "n1"],
  ["it was deleted by hand", state(network("n1"), container([urn])), undefined],
  ["there is no deployment", { version: 3, deployment: null }, "n1"],
])("changes nothing if %s", (_, before, id) => {
  expect(withNetworks(before, [gateway(id)])).toBeUndefined();
});
