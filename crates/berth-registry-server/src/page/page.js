// Browses the registry that serves it, by the same interface that every client uses.
// What comes from a repository is put into the page as text, never as markup.
'use strict';

const MANIFESTS = [
  'application/vnd.oci.image.index.v1+json', 'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json', 'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');
const PAGE = 100;

// ---- asking ---------------------------------------------------------------------------------------------------

const tokens = new Map();

async function ask(path, headers = {}) {
  const get = () => fetch(path, { headers: { ...headers, ...authorization(path) } });
  let answer = await get();
  const challenge = answer.headers.get('WWW-Authenticate') || '';
  if (answer.status === 401 && /^bearer /i.test(challenge)) {
    // The browser asks the user for a name and a password where the token is made.
    const part = (name) => (challenge.match(new RegExp(`${name}="([^"]*)"`)) || [])[1] || '';
    const realm = new URL(part('realm'), location);
    if (realm.origin !== location.origin) throw new Error('the tokens of this registry are made elsewhere');
    realm.search = new URLSearchParams({ service: part('service'), scope: part('scope') });
    const made = await fetch(realm);
    if (!made.ok) throw new Error('not allowed');
    tokens.set(scope(path), (await made.json()).token);
    answer = await get();
  }
  if (!answer.ok) throw new Error(await reason(answer));
  return answer;
}

const scope = (path) => path.split(/\/(?:tags|manifests|blobs|referrers|_berth)\//)[0];
const authorization = (path) =>
  tokens.has(scope(path)) ? { Authorization: `Bearer ${tokens.get(scope(path))}` } : {};

async function reason(answer) {
  try {
    return (await answer.json()).errors[0].message;
  } catch {
    return `the registry answers ${answer.status}`;
  }
}

// One page of a list, and where the next one is.
async function list(path, key) {
  const answer = await ask(path);
  const link = (answer.headers.get('Link') || '').match(/<([^>]+)>/);
  return { entries: (await answer.json())[key] || [], next: link && link[1] };
}

async function manifest(name, which) {
  const answer = await ask(`/v2/${name}/manifests/${which}`, { Accept: MANIFESTS });
  return { digest: answer.headers.get('Docker-Content-Digest'), document: await answer.json() };
}

const optional = (promise, otherwise) => promise.catch(() => otherwise);

// ---- showing --------------------------------------------------------------------------------------------------

function element(tag, options = {}, ...children) {
  const made = Object.assign(document.createElement(tag), options);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const link = (text, to) => element('a', { href: `#/${to}` }, text);
const code = (text) => element('code', {}, text);
const short = (digest) => (digest ? digest.replace(/^(\w+:.{12}).*/, '$1') : '');
const when = (text) => (text ? new Date(text).toISOString().replace('T', ' ').slice(0, 19) : '');

function bytes(count) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) { count /= 1024; at += 1; }
  return `${at && count < 100 ? count.toFixed(1) : Math.round(count)} ${units[at]}`;
}

function table(id, columns, rows) {
  const cell = (tag, content, column) => element(tag, { className: column.endsWith('#') ? 'number' : '' }, content ?? '');
  const head = element('tr', {}, ...columns.map((column) => cell('th', column.replace('#', ''), column)));
  const body = rows.map((row) => element('tr', {}, ...row.map((content, at) => cell('td', content, columns[at]))));
  return element('table', { id }, element('thead', {}, head), element('tbody', {}, ...body));
}

function section(title, ...content) {
  return [element('h2', {}, title), ...content];
}

// A list that grows by a button, and is filtered as one types.
function growing(id, columns, first, row) {
  const shown = table(id, columns, []);
  const rows = shown.tBodies[0];
  const filter = element('input', { placeholder: 'filter', type: 'search' });
  const more = element('button', { hidden: true }, 'more');
  const matches = (line) => { line.hidden = !line.textContent.includes(filter.value); };
  const add = async ({ entries, next }) => {
    const lines = table('', columns, await Promise.all(entries.map(row))).tBodies[0].rows;
    for (const line of [...lines]) { matches(line); rows.append(line); }
    more.hidden = !next;
    more.onclick = async () => { more.hidden = true; await guarded(async () => add(await first(next))); };
  };
  filter.oninput = () => [...rows.rows].forEach(matches);
  return first().then(add).then(() => (rows.rows.length ? [filter, shown, more] : [element('p', { className: 'quiet' }, 'nothing here yet')]));
}

// ---- the pages ------------------------------------------------------------------------------------------------

function repositories() {
  const page = (next) => list(next || `/v2/_catalog?n=${PAGE}`, 'repositories');
  return growing('repositories', ['repository'], page, (name) => [link(name, name)]);
}

function tags(name) {
  const page = (next) => list(next || `/v2/${name}/tags/list?n=${PAGE}`, 'tags');
  return growing('tags', ['tag', 'digest', 'size#', 'last change'], page, async (tag) => {
    const { digest, document: found } = await manifest(name, tag);
    const changes = await history(name, tag);
    return [link(tag, `${name}:${tag}`), code(short(digest)), bytes(sizeOf(found)), when(changes.at(-1)?.when)];
  });
}

const sizeOf = (found) => [found.config, ...(found.layers || [])].reduce((sum, part) => sum + (part?.size || 0), 0);

async function history(name, tag) {
  const path = `/v2/${name}/_berth/tags/history?tag=${encodeURIComponent(tag)}`;
  return (await optional(ask(path).then((answer) => answer.json()), {})).history || [];
}

async function image(name, which) {
  const { digest, document: found } = await manifest(name, which);
  const isTag = !which.includes(':');
  const parts = [table('about', ['', ''], [
    ['digest', code(digest)],
    ['type', code(found.artifactType || found.mediaType || '')],
    ['pull', code(`${location.host}/${name}${isTag ? ':' : '@'}${which}`)],
  ])];
  if (found.manifests) {
    const platform = (entry) => [entry.platform?.os, entry.platform?.architecture, entry.platform?.variant].filter(Boolean).join('/');
    parts.push(...section('Platforms', table('platforms', ['platform', 'digest', 'size#'], found.manifests.map((entry) =>
      [platform(entry), link(short(entry.digest), `${name}@${entry.digest}`), bytes(entry.size)]))));
  }
  if (found.layers) {
    const config = await optional(ask(`/v2/${name}/blobs/${found.config.digest}`).then((answer) => answer.json()), {});
    const made = (config.history || []).filter((step) => !step.empty_layer);
    parts.push(...section(`Layers: ${found.layers.length}, ${bytes(sizeOf(found))}`, table('layers', ['digest', 'size#', 'made by'],
      found.layers.map((layer, at) => [code(short(layer.digest)), bytes(layer.size), made[at]?.created_by || layer.annotations?.['org.opencontainers.image.title'] || '']))));
  }
  const referrers = await optional(list(`/v2/${name}/referrers/${digest}`, 'manifests'), { entries: [] });
  if (referrers.entries.length) {
    parts.push(...section('Refers to this', table('referrers', ['type', 'digest', 'size#'], referrers.entries.map((entry) =>
      [entry.artifactType || '', link(short(entry.digest), `${name}@${entry.digest}`), bytes(entry.size)]))));
  }
  const changes = isTag ? await history(name, which) : [];
  if (changes.length) {
    const at = (to) => (to ? link(short(to), `${name}@${to}`) : element('span', { className: 'quiet' }, 'none'));
    parts.push(...section('History', table('history', ['when', 'who', 'from', 'to'], changes.toReversed().map((change) =>
      [when(change.when), change.who, at(change.from), at(change.to)]))));
  }
  return parts;
}

// ---- where we are ---------------------------------------------------------------------------------------------

async function guarded(work) {
  try {
    await work();
  } catch (error) {
    document.getElementById('main').replaceChildren(element('p', { className: 'bad' }, error.message));
  }
}

function show() {
  const place = decodeURIComponent(location.hash.replace(/^#\/?/, ''));
  const [, name, which] = place.match(/^([^:@]*)(?:[:@](.*))?$/) || [null, place];
  document.getElementById('path').replaceChildren(...(name ? [link(name, name)] : []), ...(which ? [' ', code(short(which))] : []));
  guarded(async () => {
    const content = await (which ? image(name, which) : name ? tags(name) : repositories());
    document.getElementById('main').replaceChildren(...content);
  });
}

addEventListener('hashchange', show);
show();
