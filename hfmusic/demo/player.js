"use strict";
// Plays the scores of hfmusic.demo.player with Web Audio and moves a cursor through them; nothing is loaded for it.
(() => {
  const AHEAD = 0.3; // seconds that notes are given to the sound card before they sound
  let now = null; // what plays: {root, plan, from, began, sent, context, timer}
  let sound = null;

  const clock = () => performance.now() / 1000;
  const tempoOf = root => Number(root.querySelector(".hfm-tempo").value);
  const placeNow = () => now.from + (clock() - now.began) * tempoOf(now.root) / 60;

  function strike(pitch, wait, seconds) {
    const start = sound.currentTime + Math.max(0, wait), end = start + Math.max(0.08, seconds);
    const volume = sound.createGain();
    volume.gain.setValueAtTime(0, start);
    volume.gain.linearRampToValueAtTime(0.22, start + 0.008);
    volume.gain.exponentialRampToValueAtTime(0.05, start + 0.9);
    volume.gain.setTargetAtTime(0, end, 0.05);
    volume.connect(sound.destination);
    now.volumes.push(volume);
    for (const [partial, share] of [[1, 1], [2, 0.35], [3, 0.12]]) {
      const tone = sound.createOscillator(), level = sound.createGain();
      tone.frequency.value = partial * 440 * 2 ** ((pitch - 69) / 12);
      level.gain.value = share;
      tone.connect(level).connect(volume);
      tone.start(start);
      tone.stop(end + 0.4);
    }
  }

  function send() {
    const place = placeNow(), pace = tempoOf(now.root) / 60;
    while (now.sent < now.plan.sounds.length) {
      const [quarter, length, pitch] = now.plan.sounds[now.sent];
      const wait = (quarter - place) / pace;
      if (wait > AHEAD) break;
      if (wait > -0.05) strike(pitch, wait, length / pace);
      now.sent++;
    }
  }

  function visible(root, id) {
    const pages = [...root.querySelectorAll(".hfm-wide, .hfm-narrow")];
    const page = pages.find(one => one.offsetParent !== null) || pages[0];
    return page.querySelector(`[id="${id}"]`);
  }

  function boxOf(root, moment) {
    const symbol = visible(root, moment[1]);
    if (!symbol) return null;
    const paper = root.querySelector(".hfm-paper").getBoundingClientRect();
    const head = (symbol.querySelector(".notehead") || symbol).getBoundingClientRect();
    const staff = (symbol.closest(".staff") || symbol).getBoundingClientRect();
    return { symbol, system: symbol.closest(".system"), x: head.left + head.width / 2 - paper.left,
      top: staff.top - paper.top, height: staff.height };
  }

  function show(root, plan, place) {
    let number = 0;
    while (number + 1 < plan.moments.length && plan.moments[number + 1][0] <= place) number++;
    const here = plan.moments[number], next = plan.moments[number + 1];
    const box = here && boxOf(root, here);
    if (!box) return;
    let x = box.x;
    const after = next && boxOf(root, next);
    if (after && after.system === box.system && after.x > x && next[0] > here[0])
      x += (after.x - x) * Math.min(1, Math.max(0, (place - here[0]) / (next[0] - here[0])));
    const cursor = root.querySelector(".hfm-cursor");
    cursor.hidden = false;
    cursor.style.left = `${x - 1.5}px`;
    cursor.style.top = `${box.top - 6}px`;
    cursor.style.height = `${box.height + 12}px`;
    for (const one of root.querySelectorAll(".hfm-now")) if (one !== box.symbol) one.classList.remove("hfm-now");
    box.symbol.classList.add("hfm-now");
    root.dataset.quarter = place.toFixed(3);
  }

  function frame() {
    if (!now) return;
    if (!now.root.isConnected) return stop(); // the score was engraved anew
    const place = placeNow();
    if (place >= now.plan.end) return stop();
    send();
    show(now.root, now.plan, place);
  }

  function stop() {
    if (!now) return;
    clearInterval(now.timer);
    for (const volume of now.volumes) volume.disconnect();
    const { root } = now;
    now = null;
    root.classList.remove("hfm-playing");
    root.querySelector(".hfm-play").textContent = "▶ Play";
    root.querySelector(".hfm-cursor").hidden = true;
    for (const one of root.querySelectorAll(".hfm-now")) one.classList.remove("hfm-now");
  }

  function play(root, from) {
    stop();
    sound ||= new (window.AudioContext || window.webkitAudioContext)();
    sound.resume();
    const plan = JSON.parse(root.dataset.plan);
    const first = plan.sounds.findIndex(one => one[0] >= from - 1e-6);
    now = { root, plan, from, began: clock() + 0.05, volumes: [] };
    now.sent = first < 0 ? plan.sounds.length : first;
    now.timer = setInterval(frame, 33);
    root.classList.add("hfm-playing");
    root.querySelector(".hfm-play").textContent = "■ Stop";
    frame();
  }

  document.addEventListener("click", event => {
    const root = event.target.closest?.(".hfm-player");
    if (!root) return;
    if (event.target.closest(".hfm-play")) {
      if (now && now.root === root) stop(); else play(root, 0);
      return;
    }
    const symbol = event.target.closest(".note, .rest, .mRest, .multiRest");
    const moment = symbol && JSON.parse(root.dataset.plan).moments.find(one => one[1] === symbol.id);
    if (moment) play(root, moment[0]);
  });

  document.addEventListener("input", event => {
    const slider = event.target.closest?.(".hfm-tempo");
    if (!slider) return;
    const root = slider.closest(".hfm-player"), told = root.querySelector("output");
    if (now && now.root === root) { // go on from here at the new pace
      now.from += (clock() - now.began) * Number(told.value) / 60;
      now.began = clock();
    }
    told.value = slider.value;
  });
})();
