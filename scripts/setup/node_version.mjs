// Plain syntax only: this file must load on Node versions the rest of the project does not support.

/** Ends the process with one clear line unless this Node can run yolox-node. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  process.stderr.write(
    `error: Node: expected 20.19 or later, received ${process.versions.node} (it lacks features yolox-node uses). ` +
      'Install Node 24, for example with "nvm install 24", and run again.\n',
  );
  process.exit(2);
}
