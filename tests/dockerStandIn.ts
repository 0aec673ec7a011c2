import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * A stand-in for the `docker` command in a folder, which knows of images what assets/base-image asks: they are names with
 * an id, and some can be pulled. It has no containers.
 */
export class DockerStandIn {
  readonly command: string;
  private readonly images: string;
  private readonly registry: string;

  constructor(folder: string) {
    this.command = join(folder, "docker");
    this.images = join(folder, "images");
    this.registry = join(folder, "registry");
    this.have({});
    this.offer();
    writeFileSync(this.command, script(this.images, this.registry), { mode: 0o755 });
  }

  /** Sets the images that there are: ids by name. */
  have(images: Readonly<Record<string, string>>): void {
    const lines = Object.entries(images).map(([name, id]) => `${name} ${id}\n`);
    writeFileSync(this.images, lines.join(""));
  }

  /** Sets the images that can be pulled. */
  offer(...names: string[]): void {
    writeFileSync(this.registry, names.map((name) => `${name}\n`).join(""));
  }

  /** The images that there are: ids by name. */
  has(): Record<string, string> {
    return Object.fromEntries(
      lines(this.images).map((line) => line.split(" ") as [string, string]),
    );
  }

  /** Does nothing for a minute, whatever it is asked. */
  hang(): void {
    writeFileSync(this.command, "#!/bin/sh\nexec sleep 60\n");
  }
}

function lines(file: string): string[] {
  return existsSync(file) ? readFileSync(file, "utf8").split("\n").filter(Boolean) : [];
}

function script(images: string, registry: string): string {
  return `#!/bin/sh
id_of() { sed -n "s|^$1 ||p" ${images}; }
name() { sed -i "\\|^$1 |d" ${images}; echo "$1 $2" >>${images}; }
case "$1 $2" in
  "version --format") case $3 in *Arch*) dpkg --print-architecture ;; *) echo 20.10.24 ;; esac ;;
  "image inspect")
    if [ "$3" = --format ]; then shift 2; fi
    [ -n "$(id_of "$3")" ] && id_of "$3" ;;
  "image ls")
    case $4 in
      *:*) pattern="^openclaw-kasm/[^/]*:\${4##*:}$" ;;
      *) pattern="^\${4#reference=}:" ;;
    esac
    cut -d' ' -f1 ${images} | grep "$pattern" || true ;;
  "image rm") shift 2; for each in "$@"; do sed -i "\\|^$each |d" ${images}; done ;;
  "pull --quiet") grep -qx "$3" ${registry} && name "$3" pulled ;;
  "ps --quiet") ;;
  "context inspect") echo 'default|unix:///var/run/docker.sock|0|' ;;
  "tag $2") name "$3" "$(id_of "$2" | grep . || echo "$2")" ;;
  *) echo "the stand-in does not know: $*" >&2; exit 1 ;;
esac
`;
}
