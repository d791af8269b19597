// Keys, reasons and names come from strangers: they become text nodes, never markup. Nothing here uses innerHTML.
const BASE = location.pathname.replace(/\/filebatch\/page$/, '');
const REFRESH = 10_000; // milliseconds
const at = id => document.getElementById(id);
const asked = new URLSearchParams(location.search);
let feed = asked.get('feed') || '', ofRun = asked.get('run') || '', shown = asked.get('key') || '', pagesRead = 1, turn = 0, trouble = '';

function el(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.map(child => child ?? ''));
  return made;
}
const say = text => { at('said').textContent = text; };
// What is told already isn't written again, as a screen reader would speak it at each refresh.
function tell(id, ...nodes) {
  const told = el('div', {}, ...nodes);
  if (told.textContent !== at(id).textContent) at(id).replaceChildren(...told.childNodes);
}
const short = time => (time || '').slice(0, 19).replace('T', ' ');
const link = (text, onclick) => el('button', {className: 'link', type: 'button', onclick}, text);

async function ask(path, options) {
  const answer = await fetch(`${BASE}/filebatch/api/${path}`, options);
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Error(typeof body.detail === 'string' ? body.detail : `${answer.status} ${JSON.stringify(body.detail || '')}`);
  return body;
}

// Airflow's window, which frames this page; null without a frame, and in one of another origin, which can't be touched.
const airflow = window.frameElement && window.parent;

// The frame may not replace its parent, whose router can be told where to go.
function go(path) {
  if (!airflow) { location.assign(BASE + path); return; }
  airflow.history.pushState(null, '', BASE + path);
  airflow.dispatchEvent(new PopStateEvent('popstate', {state: null}));
}
const run = (of, id) => id ? link(id, () => go(`/dags/${encodeURIComponent(of)}/runs/${encodeURIComponent(id)}`)) : '';

const task = (of, id) => link('process_files', () => go(`/dags/${encodeURIComponent(of)}/runs/${encodeURIComponent(id)}/tasks/process_files`));
const doneBy = (of, id) => id ? [el('p', {}, 'Run ', run(of, id), ', task ', task(of, id))] : [];

// Airflow's own switch decides between light and dark, and it may be turned while the page is open.
function colours() {
  if (!airflow) return;
  const root = airflow.document.documentElement;
  const follow = () => {
    const chosen = ['dark', 'light'].find(name => root.classList.contains(name));
    document.documentElement.style.colorScheme = chosen || '';
  };
  new MutationObserver(follow).observe(root, {attributes: true});
  follow();
}

function remember() {
  const query = new URLSearchParams();
  if (feed) query.set('feed', feed);
  if (ofRun) query.set('run', ofRun);
  if (shown) query.set('key', shown);
  history.replaceState(null, '', `?${query}`);
}

async function showFeeds() {
  const mine = ++turn, found = await ask('feeds');
  if (mine !== turn) return;
  const head = el('tr', {}, el('th', {scope: 'col'}, 'Feed'), ...STATES.map(name => el('th', {scope: 'col', className: 'number'}, name)),
    ...['Last hour', 'Oldest waiting (UTC)', 'Last arrival (UTC)'].map(name => el('th', {scope: 'col'}, name)));
  at('feeds').replaceChildren(el('h1', {}, 'Files by feed'), found.length
    ? el('table', {}, el('thead', {}, head), el('tbody', {}, ...found.flatMap(feedRows)))
    : el('p', {}, 'There is no feed whose DAG you may see.'));
}

const STATES = ['FAILED', 'INVALID', 'CLAIMED', 'ARRIVED', 'SUCCEEDED'];
const opens = name => link(name, () => { feed = name; pagesRead = 1; refresh(); });
const count = ({number, more}) => number.toLocaleString('en') + (more ? '+' : '');
const counted = (state, each) => el('td', {className: each.number ? `number ${state}` : 'number none'}, count(each));

function feedRows(each) {
  if (each.problem) return [el('tr', {}, el('td', {}, opens(each.feed)), el('td', {colSpan: 8, className: 'FAILED'}, each.problem))];
  const cells = [lastHour(each), short(each.oldest_waiting), short(each.last_arrival)].map(value => el('td', {className: 'time'}, value));
  const row = el('tr', {}, el('td', {}, opens(each.feed)), ...STATES.map(state => counted(state, each.counts[state])), ...cells);
  return each.held ? [row, el('tr', {}, el('td', {colSpan: 9}, ...heldBy(each.held)))] : [row];
}

function lastHour(each) {
  const settled = Object.values(each.last_hour).reduce((sum, number) => sum + number, 0);
  return settled ? `${settled.toLocaleString('en')} settled, ${Math.round(100 * each.failure_rate)} % failed` : '';
}

// A feed of which everything fails claims nothing of what waits: that is no fault of the page or of Airflow.
const heldBy = why => why ? [el('div', {className: 'held'}, el('strong', {}, 'Nothing of what waits is claimed: '), `${why}.`,
  el('p', {className: 'next'}, 'What to do: open a FAILED file, put right what its reason names, and press retry. Once one file is done, all that waits is claimed.'))] : [];

function filters(cursor) {
  const query = new URLSearchParams({feed, cursor, key: at('key').value, code: at('code').value, since: at('since').value});
  if (at('state').value) query.set('state', at('state').value);
  return query;
}

async function showList() {
  const mine = ++turn, files = [];
  const asking = ask(`held?${new URLSearchParams({feed})}`).catch(error => ({error}));
  let cursor = '', found;
  for (let page = 0; page < pagesRead; page += 1) {
    found = await ask(ofRun ? `run?${new URLSearchParams({feed, run: ofRun, cursor: cursor || 0})}` : `files?${filters(cursor)}`);
    files.push(...found.files);
    cursor = found.cursor;
    if (!cursor) break;
  }
  const {held, error} = await asking;
  if (mine !== turn) return;
  at('feed').replaceChildren(feed);
  if (!error) tell('held', ...heldBy(held));
  at('filters').hidden = Boolean(ofRun);
  at('of-run').replaceChildren(...(ofRun ? [el('p', {}, 'Run ', run(feed, ofRun)), el('p', {id: 'outcome'}, found.outcome || 'It claimed no file.'),
    ...(found.job ? [el('p', {}, `Batch job: ${found.job}`)] : []), link(`All files of ${feed}`, () => { ofRun = ''; pagesRead = 1; refresh(); })] : []));
  at('rows').replaceChildren(...files.map(file => el('tr', {}, el('td', {}, link(file.key, () => { shown = file.key; refresh(); })),
    el('td', {className: file.state}, file.state), el('td', {}, file.code), el('td', {className: 'time'}, short(file.since)),
    el('td', {className: 'number'}, file.size.toLocaleString('en')), el('td', {}, run(feed, file.run_id)))));
  at('none').hidden = files.length > 0 || Boolean(cursor);
  at('more').hidden = !cursor;
  if (error) throw error;
}

function table(names, rows) {
  return el('table', {}, el('thead', {}, el('tr', {}, ...names.map(name => el('th', {scope: 'col'}, name)))),
    el('tbody', {}, ...rows.map(row => el('tr', {}, ...row.map(value => el('td', {}, value))))));
}
// Bars of a column's values, from the least to the greatest.
function bars(counts) {
  const draw = (tag, attributes, ...children) => {
    const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };
  if (!counts) return '';
  const most = Math.max(...counts, 1), height = number => number ? Math.max(1, 28 * number / most) : 0;
  return draw('svg', {class: 'bars', viewBox: `0 0 ${9 * counts.length - 1} 28`, role: 'img', 'aria-label': `Values from least to greatest: ${counts.join(', ')}`},
    ...counts.map((number, place) => draw('rect', {x: 9 * place, y: 28 - height(number), width: 8, height: height(number)}, draw('title', {}, `${number.toLocaleString('en')} values`))));
}
const whole = value => el('span', {className: 'whole'}, value); // a number that is broken reads as two
const text = value => value === null || value === undefined ? '' : String(value);

function acts(file) {
  const can = {FAILED: ['retry', 'redo'], INVALID: ['redo'], SUCCEEDED: ['redo'], CLAIMED: ['release']}[file.state] || [];
  if (!file.may_act || !can.length) return [];
  const reason = el('input', {id: 'reason', required: true, maxLength: 900, value: at('reason')?.value || ''});
  const press = async action => {
    if (!reason.value.trim()) { say('Write a reason first: it stays with the run.'); reason.focus(); return; }
    try {
      const started = await ask('act', {method: 'POST', headers: {'Content-Type': 'application/json'},
        body: JSON.stringify({feed, action, keys: [file.key], reason: reason.value})});
      say(`Started run ${started.dag_run_id}.`);
      reason.value = '';
    } catch (error) { say(error.message); }
  };
  return [el('div', {className: 'act'}, el('label', {}, 'Reason', reason),
    ...can.map(action => el('button', {id: action, type: 'button', onclick: () => press(action)}, action)))];
}

// An address of ours that the server made; whatever else it is, it is no link.
const page = (text, url) => url && url.startsWith('https://') ? el('a', {href: url, target: '_blank', rel: 'noreferrer'}, text) : text;

async function log() {
  const found = await ask(`log?${new URLSearchParams({feed, key: shown})}`).catch(error => ({problem: error.message}));
  if (found.problem) return [el('h2', {}, 'Container log'), el('p', {}, found.problem)];
  if (!found.job) return [];
  return [el('h2', {}, 'Container log'), el('p', {}, 'Batch job ', page(found.job, found.job_url), ' ', page('whole log', found.url)),
    found.lines.length ? el('pre', {id: 'log', tabIndex: 0}, found.lines.join('\n')) : el('p', {}, 'It has no line yet.')];
}

const typing = () => Boolean(at('reason')) && at('reason') === document.activeElement;

async function showStory() {
  const mine = ++turn, file = await ask(`file?${new URLSearchParams({feed, key: shown})}`);
  const logged = ['FAILED', 'INVALID', 'CLAIMED'].includes(file.state) ? await log() : [];
  if (mine !== turn || typing()) return;
  const focused = document.activeElement?.id; // whoever goes by keyboard stays at the same button
  const profile = file.profile ? [el('h2', {}, 'Profile'), table(['Column', 'Type', 'Nulls', 'Distinct', 'Least', 'Greatest', 'From least to greatest'],
    file.profile.map(column => [...[column.name, column.type, column.nulls, column.distinct, column.min, column.max].map(text), bars(column.histogram)]))] : [];
  const outputs = file.outputs.length ? [el('h2', {}, 'Outputs'), table(['Name', 'Rows', 'Bytes', 'Where'],
    file.outputs.map(each => [whole(each.name), whole(each.rows?.toLocaleString('en')), whole(each.size.toLocaleString('en')), each.uri]))] : [];
  at('story').replaceChildren(link(`Files of ${feed}`, () => { shown = ''; refresh(); }),
    el('h1', {id: 'whole-key'}, file.key), el('p', {id: 'file-state', className: file.state}, file.state),
    ...file.said.map(line => el('p', {className: 'line'}, line)), el('p', {className: 'next'}, `What to do: ${file.next}`),
    ...doneBy(feed, file.versions[0]?.run_id), ...acts(file), ...logged, ...(file.job && !logged.length ? [el('p', {}, 'Batch job ', page(file.job, file.job_url))] : []),
    el('h2', {}, 'Timeline'), table(['When (UTC)', 'What', 'Run'], file.timeline.map(each => [short(each.at), each.what, run(feed, each.run_id)])),
    ...outputs, ...profile);
  if (focused) at(focused)?.focus();
}

// What is shown of one file or feed must not stand while another is asked for: its buttons would act on the wrong one.
let place = '';
function leave() {
  const now = JSON.stringify([feed, ofRun, shown]);
  if (now === place) return;
  place = now;
  for (const id of ['feed', 'held', 'of-run', 'rows', 'story']) at(id).replaceChildren();
  at('more').hidden = at('none').hidden = true;
}

let atWork = 0; // an answer that takes longer than the time between two looks is waited for, else it would never be shown
async function refresh() {
  remember();
  leave();
  atWork += 1;
  at('feeds').hidden = Boolean(feed); at('list').hidden = !feed || Boolean(shown); at('story').hidden = !shown;
  try {
    await (shown ? showStory() : feed ? showList() : showFeeds());
    if (trouble && at('said').textContent === trouble) say('');
    trouble = '';
  } catch (error) { trouble = error.message; tell('said', trouble); }
  atWork -= 1;
}
const search = () => { pagesRead = 1; say(''); refresh(); };
at('search').onclick = search;
at('state').onchange = search;
for (const id of ['key', 'code', 'since']) at(id).onkeydown = event => { if (event.key === 'Enter') search(); };
at('more').onclick = () => { pagesRead += 1; refresh(); };
colours();
setInterval(() => { if (!document.hidden && !typing() && !atWork) refresh(); }, REFRESH);
refresh();
