// The part of KASM's agent that the API shows: a workspace is available some time after it was registered, if its
// image is on the agent's Docker host.

/**
 * @param images names of the images on the host; without it there is no agent
 * @param availableAfterMs how long it takes the agent to see an image
 * @param looksEveryMs how long what it said stays as it is, true or not
 */
export function createAgent({ storage, images, availableAfterMs = 0, looksEveryMs = 0 }) {
  const settings = { images, availableAfterMs, looksEveryMs };
  let looked = 0;
  /** Since when a workspace has the image that it has. */
  const since = new Map();

  return {
    set(changes) {
      for (const key of Object.keys(settings).filter((each) => each in changes)) {
        settings[key] = changes[key];
      }
    },
    /** Brings `available` up to date; agents leave links and disabled workspaces alone. */
    async look() {
      if (settings.images === undefined || Date.now() - looked < settings.looksEveryMs) {
        return;
      }
      looked = Date.now();
      for (const { image_id, name, image_type, enabled, available } of await storage.find(
        "images",
      )) {
        const seen = `${image_id} ${name}`;
        since.set(seen, since.get(seen) ?? Date.now());
        const isThere = enabled && image_type === "Container" && settings.images.includes(name);
        const isDue = Date.now() - since.get(seen) >= settings.availableAfterMs;
        if (available !== (isThere && isDue)) {
          await storage.update("images", { image_id }, { available: isThere && isDue });
        }
      }
    },
  };
}
