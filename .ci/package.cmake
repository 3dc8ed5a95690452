# cpack -G DEB: one package that works from any folder; libraries are found by dpkg-shlibdeps.
set(CPACK_PACKAGE_NAME assay)
set(CPACK_PACKAGE_CONTACT "The Assay authors <assay@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "measures what every nanosecond of generative inference is made of")
set(CPACK_PACKAGE_DESCRIPTION "Runs whole workloads of generative models, attributes the time of every stage, switches
 optimizations on and off, checks that each took effect and what it costs in quality, and reports.")
set(CPACK_RESOURCE_FILE_LICENSE ${CMAKE_SOURCE_DIR}/LICENSE)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION science)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gnuplot-nox, fonts-dejavu-core") # a program that figures are drawn with
include(CPack)
