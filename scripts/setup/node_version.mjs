// Plain syntax only: this file must load on Node versions the rest of the project does not support.

/** Ends the process with one clear line unless this Node can run yolox-node. */
export function requireNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if ((major === 20 && minor >= 19) || major === 21 || major === 22) return;
  const reason =
    major >= 23
      ? 'tfjs-node 4.22 uses util functions that Node 23 removed'
      : 'this version lacks features yolox-node uses';
  process.stderr.write(
    `error: Node: expected 20.19 or later up to 22, received ${process.versions.node} (${reason}). ` +
      'Install Node 22, for example with "nvm install 22", and run again.\n',
  );
  process.exit(1);
}
