"""Names of compositions: the same piece under all the names it goes by, and no two pieces under one."""

from __future__ import annotations

import pytest

from hfmusic.data.works import maps_piano, work_of


@pytest.mark.parametrize(
    "names",
    [
        ("MAPS_MUS-chpn-e01_ENSTDkCl", "MAPS_MUS-chpn_op10_e01_AkPnCGdD", "chpn_op10_e01", "god_chpn_op10_e01"),
        ("MAPS_MUS-chpn-p11-format0_AkPnCGdD", "MAPS_MUS-chpn-p11_AkPnCGdD", "chpn-p11", "chpn-p11_format0"),
        ("MAPS_MUS-schub_d760_3_ENSTDkAm", "schub_d760_3", "Schub_D760_3"),
        ("MAPS_MUS-schuim-3_AkPnStgb", "schuim-3"),
        ("MAPS_MUS-scn15_12_ENSTDkCl", "scn15_12"),
        ("MAPS_MUS-alb_esp2_SptkBGCl", "alb_esp2", "god_alb_esp2"),
        ("00_BN1-129-Eb_comp", "05_BN1-147-Gb_solo", "00_BN1-129-Eb_comp_mic"),
    ],
)
def test_one_work(names: tuple[str, ...]) -> None:
    assert len({work_of(name) for name in names}) == 1


def test_other_works() -> None:
    names = ["chpn_op10_e01", "chpn_op10_e12", "chpn-p1", "chpn-p11", "scn15_1", "scn15_12", "scn16_1", "mz_332_2"]
    names += ["mz_331_2", "liz_et5", "liz_et_trans5", "00_BN1-129-Eb_comp", "00_BN2-131-B_comp", "00_Jazz1-130-D_comp"]
    assert len({work_of(name) for name in names}) == len(names)


def test_no_name() -> None:
    with pytest.raises(ValueError, match="a work needs a name of letters or digits, got '--'"):
        work_of("--")


def test_pianos() -> None:
    assert maps_piano("MAPS_MUS-chpn-p11-format0_AkPnCGdD") == "AkPnCGdD"
    assert maps_piano("chpn-p11") is None and maps_piano("MAPS_ISOL_NO_F_S0_M23_ENSTDkCl") is None
