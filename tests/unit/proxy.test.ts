import { proxyFor } from "../../host/proxy";

const proxy = "http://proxy.example.com:3128";
const found = (url: string, env: NodeJS.ProcessEnv) => proxyFor(new URL(url), env)?.origin;

describe("the proxy of the environment", () => {
  test.each<[what: string, env: NodeJS.ProcessEnv]>([
    ["in small letters", { https_proxy: proxy }],
    ["in capitals", { HTTPS_PROXY: proxy }],
    ["for everything", { ALL_PROXY: proxy }],
    ["without a scheme", { https_proxy: "proxy.example.com:3128" }],
    ["beside names that are asked directly", { https_proxy: proxy, no_proxy: "other.example.org" }],
  ])("is taken %s", (_, env) => {
    expect(found("https://kasm.example.com", env)).toBe(proxy);
  });

  test.each<[what: string, url: string, env: NodeJS.ProcessEnv]>([
    ["another scheme", "https://kasm.example.com", { http_proxy: proxy }],
    ["an empty variable", "https://kasm.example.com", { https_proxy: "" }],
    ["another kind of proxy", "https://kasm.example.com", { https_proxy: "socks5://proxy:1080" }],
    [
      "the name itself",
      "https://kasm.example.com",
      { https_proxy: proxy, no_proxy: "kasm.example.com" },
    ],
    ["its domain", "https://kasm.example.com", { https_proxy: proxy, NO_PROXY: "a, .example.com" }],
    ["every name", "https://kasm.example.com", { https_proxy: proxy, no_proxy: "*" }],
    ["its network", "https://10.1.2.3", { https_proxy: proxy, no_proxy: "10.0.0.0/8" }],
    ["this machine", "https://localhost:8443", { https_proxy: proxy }],
    ["this machine's address", "https://127.0.0.1:8443", { https_proxy: proxy }],
    ["this machine's address of IPv6", "https://[::1]:8443", { https_proxy: proxy }],
  ])("is none for %s", (_, url, env) => {
    expect(found(url, env)).toBeUndefined();
  });
});
