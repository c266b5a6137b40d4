-- The tables of catalogue.toml. Cells are filled in by the test, with vo_server.sky.cells.
CREATE SCHEMA vo_data;
CREATE TABLE vo_data.t1_1 (
  id int, ra float8, dec float8, "Vmag" real, pm float8, name text, variable boolean, seen timestamp, size smallint, cov real[], _hpx29 bigint
);
INSERT INTO vo_data.t1_1 VALUES
  (1, 10.0, 20.0, 1.5, 2.0, 'alpha', true, '2017-09-22 20:54:30', 7, '{1,2}'),
  (2, 10.5, 20.0, 2.5, NULL, 'béta', false, '2018-01-01', 8, '{3,NaN}'),
  (3, 359.95, 0.0, 3.5, 0.5, 'it''s', NULL, NULL, NULL, NULL),
  (4, 0.05, 0.0, NULL, 1.0, '50%', true, '2020-02-29 12:00:00', -1, '{}'),
  (5, 120.0, 90.0, 5.0, 1.0, 'back\slash', false, '1999-12-31', 0, '{0}'),
  (6, NULL, NULL, 6.0, 1.0, NULL, true, '2000-01-01', 1, '{1}'),
  (7, 'NaN', 'NaN', 7.0, 1.0, 'nowhere', true, '2000-01-01', 1, '{1}');
CREATE TABLE vo_data.t2_1 (id bigint, "RAJ2000" float8, "DEJ2000" float8, energy float8, _hpx29 bigint);
INSERT INTO vo_data.t2_1 VALUES (1, 10.0001, 20.0, 290.0), (2, 0.0, 0.0, 15.0), (9, 77.36, 5.69, 290.0), (10, NULL, NULL, NULL);
CREATE TABLE vo_data.obs (obs_key bigint, obs_id text, s_ra float8, s_region text, shape float8[], cap float8[] GENERATED ALWAYS AS (vo.shape_cap(shape)) STORED);
INSERT INTO vo_data.obs VALUES
  (1, 'square', 10.0, 'Polygon ICRS 9 19 11 19 11 21 9 21', '{9,19,11,19,11,21,9,21}'),
  (2, 'disc', 0.0, 'Circle ICRS 0 0 1', '{0,0,1}'),
  (3, 'none', NULL, NULL, NULL);
CREATE TABLE vo_data.obs_cells (obs_key bigint, lo bigint, hi bigint);
CREATE TABLE vo_data.t3_1 (id int, center float8[], disc float8[], outline float8[], words text, label text);
INSERT INTO vo_data.t3_1 VALUES
  (1, '{10,20}', '{10,20,1}', '{9,19,11,19,11,21,9,21}', 'Polygon ICRS 9 19 11 19 11 21 9 21', '12:30:10.5'),
  (2, '{0,0}', '{0,0,2}', '{1,1,359,1,359,359,1,359}', 'Circle 0 0 2', '-00:15:00'),
  (3, '{0,0}', '{0,0,2}', '{1,1,359,1,359,-1,1,-1}', 'Box ICRS 0 0 2 2', '00h10m00s'),
  (4, '{180,-90}', '{180,-90,180}', '{0,-80,90,-80,180,-80,270,-80}', 'Position ICRS 180 -90', '#a#B#'),
  (5, NULL, '{NaN,0,1}', '{NaN,0,1,0,1,1}', 'Circle GALACTIC 0 0 1', 'no'),
  (6, '{NULL,1}', '{1,NULL,1}', NULL, NULL, NULL);
CREATE TABLE vo_data.t4_1 (id int, cells text);
INSERT INTO vo_data.t4_1 VALUES (1, '0/4'), (2, '0/4 1/16-20 3/'), (3, '0/0-11'), (4, 'no MOC'), (5, NULL), (6, '1/');
